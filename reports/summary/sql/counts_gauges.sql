-- Clients by kind and class, summed over subjects.
SELECT CAST(kind, 'String'), pair.1, pair.2
FROM
(
    SELECT kind, [('compliant', sum(good)), ('bad', sum(bad)), ('pending', sum(pending)), ('restart', sum(restart)),
        ('failed', sum(failed)), ('not_applicable', sum(na_said + na_implied)),
        ('not_known', sum(said_unknown + arraySum(mapValues(not_known)))), ('other', sum(other))] AS pairs
    FROM subject_counts FINAL
    WHERE deleted = 0
    GROUP BY kind
)
ARRAY JOIN pairs AS pair
