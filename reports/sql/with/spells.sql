-- Each time that a client was not compliant with a subject: when it became so, and when it no longer was (0: it still is); fixed where it was compliant then, and not without need or unknown. Needs moves before it.
    spells AS
    (
        SELECT kind, topic_id, client_id, at AS began, ended, fixed
        FROM
        (
            SELECT kind, topic_id, client_id, at, class,
                leadInFrame(at, 1, toInt64(0)) OVER later AS ended,
                leadInFrame(class, 1, toUInt8(0)) OVER later = 1 AS fixed
            FROM (SELECT * FROM moves WHERE lacks(class) != lacks(before))
            WINDOW later AS (PARTITION BY kind, topic_id, client_id ORDER BY at
                ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
        )
        WHERE lacks(class)
    ),
