-- The rows of a day as they stand.
SELECT CAST(kind, 'String'), CAST(class, 'String'), pairs, machines, final FROM class_days FINAL WHERE day = {day:Date}
