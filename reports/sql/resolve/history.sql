-- Whether the history of topics holds all stored messages, and since when it is exact.
SELECT
    (SELECT max(number) FROM summary_progress WHERE job = 'history') != 1 AS prepared,
    (SELECT argMax(hours, noted_time) FROM retention_notes WHERE in_force) AS hours,
    greatest(
        if((SELECT count() FROM state_messages) = 0, now64(6, 'UTC'),
           (SELECT min(received_time) FROM state_messages)),
        if(hours = 0, toDateTime64(0, 6, 'UTC'), now64(6, 'UTC') - toIntervalHour(hours))) AS begins
