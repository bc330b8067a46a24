-- A row where the site's counts of the end of a day are kept, and whether clients send messages without a serial.
SELECT 1 AS kept, (SELECT count() FROM (SELECT 1 FROM instant_states_data LIMIT 1)) AS unnumbered
FROM class_days WHERE kind = 'machine' AND day = {day:Date} LIMIT 1
