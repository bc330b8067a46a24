-- Each change of a client's class on a subject, by arrival: when, from which and to which number of class_names; before is 0 where nothing was told. Needs events before it: messages with their arrival (at, in microseconds), the slot of their type (1 and 2 lead, in this order, 3 to 5 are details) and their rank with room for the class (value).
    moves AS
    (
        SELECT kind, topic_id, client_id, at, before, class
        FROM
        (
            SELECT kind, topic_id, client_id, at, class,
                lagInFrame(class, 1, toUInt8(0)) OVER (PARTITION BY kind, topic_id, client_id ORDER BY at
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
            FROM
            (
                -- What arrived together is one change.
                SELECT kind, topic_id, client_id, at,
                    any(if(first > 0, first % 16, second % 16)) AS leads,
                    any(greatest(third, fourth, fifth) % 16) AS detail,
                    any(greatest(if(third % 16 IN (3, 4, 5), third, 0), if(fourth % 16 IN (3, 4, 5), fourth, 0),
                        if(fifth % 16 IN (3, 4, 5), fifth, 0)) % 16) AS progress,
                    toUInt8(multiIf(leads = 0, detail, leads = 2 AND progress > 0, progress, leads)) AS class
                FROM
                (
                    SELECT kind, topic_id, client_id, at,
                        maxIf(value, slot = 1) OVER told_so_far AS first,
                        maxIf(value, slot = 2) OVER told_so_far AS second,
                        maxIf(value, slot = 3) OVER told_so_far AS third,
                        maxIf(value, slot = 4) OVER told_so_far AS fourth,
                        maxIf(value, slot = 5) OVER told_so_far AS fifth
                    FROM events
                    WINDOW told_so_far AS (PARTITION BY kind, topic_id, client_id ORDER BY at)
                )
                GROUP BY kind, topic_id, client_id, at
            )
        )
        WHERE class != before
    ),
    (class) -> class IN (2, 3, 4, 5) AS lacks,
