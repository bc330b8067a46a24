-- The same by class.
INSERT INTO class_days (kind, day, class, pairs, machines, final, version)
SELECT kind, today() - n, class, pairs, machines, 1, 1000
FROM v_compliance_days CROSS JOIN (SELECT number + 1 AS n FROM numbers(90)) AS days
WHERE day = (SELECT max(day) FROM v_compliance_days)
