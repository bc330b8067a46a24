-- Whether the history of topics holds all stored messages, and since when it is exact; and whether clients send messages
-- without a serial, which lie elsewhere.
SELECT
    (SELECT max(number) FROM summary_progress WHERE job = 'history') != 1 AS prepared,
    (SELECT argMax(hours, noted_time) FROM retention_notes WHERE in_force) AS hours,
    greatest(
        (SELECT min(received_time) FROM state_messages), -- 1970 where retention left none
        if(hours = 0, toDateTime64(0, 6, 'UTC'), now64(6, 'UTC') - toIntervalHour(hours))) AS begins,
    (SELECT count() FROM (SELECT 1 FROM instant_states_data LIMIT 1)) AS unnumbered
