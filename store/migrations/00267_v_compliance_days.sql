-- +goose NO TRANSACTION
-- +goose Up
-- The last day is the one that goes on.
CREATE VIEW IF NOT EXISTS v_compliance_days
AS SELECT CAST(kind, 'String') AS kind, day, CAST(class, 'String') AS class, pairs, machines, final
FROM class_days FINAL
UNION ALL
SELECT kind, (SELECT if(count() = 0, today(), max(day) + 1) FROM class_days) AS day, class, pairs, pairs AS machines,
    toUInt8(0) AS final
FROM
(
    SELECT 'machine' AS kind,
        multiIf(required > 0, 'not_compliant', good > 0, 'compliant', not_known > 0 OR subjects = 0, 'not_known',
            'not_applicable') AS class,
        count() AS pairs
    FROM machine_states
    GROUP BY class
    UNION ALL
    SELECT CAST(kind, 'String') AS kind, pair.1 AS class, pair.2 AS pairs
    FROM
    (
        SELECT kind, [('compliant', sum(good)), ('bad', sum(bad)), ('pending', sum(pending)), ('restart', sum(restart)),
            ('failed', sum(failed)), ('not_applicable', sum(na_said + na_implied)),
            ('not_known', sum(said_unknown + arraySum(mapValues(not_known))))] AS pairs_of
        FROM subject_counts FINAL
        WHERE deleted = 0 AND kind IN ('update', 'deployment', 'baseline')
        GROUP BY kind
    )
    ARRAY JOIN pairs_of AS pair
)
COMMENT 'Compliance by day, kind and class: pairs of a machine and a subject, and machines; kind machine counts each machine once. The last day goes on.';
