-- A row where the site's counts of the end of a day are kept.
SELECT 1 AS kept FROM class_days WHERE kind = 'machine' AND day = {day:Date} LIMIT 1
