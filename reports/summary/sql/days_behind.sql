-- Whether the history of topics is made, and how many of the last 90 days that had reports are not counted.
WITH
    (SELECT if(count() = 0, today(), toDate(min(received_time))) FROM state_messages) AS oldest,
    greatest(oldest, today() - 90) AS first
SELECT
    (SELECT max(number) FROM summary_progress WHERE job = 'history') != 1,
    greatest(0, (today() - first) - toInt64((SELECT uniqExact(day) FROM class_days WHERE kind = 'machine' AND day >= first)))
