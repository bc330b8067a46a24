-- The pairs of a subject and a machine of a day, by kind and class.
SELECT CAST(kind, 'String'), pair.1, pair.2
FROM
(
    SELECT kind, [('compliant', sum(good)), ('bad', sum(bad)), ('pending', sum(pending)), ('restart', sum(restart)),
        ('failed', sum(failed)), ('not_applicable', sum(na_said + na_implied)),
        ('not_known', sum(said_unknown + arraySum(mapValues(not_known))))] AS pairs
    FROM subject_days FINAL
    WHERE day = {day:Date} AND deleted = 0 AND kind IN ('update', 'deployment', 'baseline')
    GROUP BY kind
)
ARRAY JOIN pairs AS pair
