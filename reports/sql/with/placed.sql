-- Each client that told of the subject or is asked, with its class and, where nothing is known of it, the cause: the first line of the rule that applies. Whoever of the scope is not here is outside. Needs rule and quiet before it.
    said AS
    (
        SELECT
            client_id,
            if(the_target != '' AND client_id NOT IN (SELECT client_id FROM collection_members WHERE name = the_target),
                'outside', said_classes[spoke.said]) AS class,
            '' AS cause
        FROM spoke
    ),
    placed AS
    (
        -- if class in '', unknown, outside:
        SELECT client_id, class, cause FROM said UNION ALL SELECT client_id, class, cause FROM quiet
        -- end:
        -- if class in not_known, not_applicable_implied, said_nothing:
        SELECT client_id, class, cause FROM quiet
        -- end:
        -- if class in compliant, not_compliant, bad, pending, restart, failed, not_applicable, said_unknown, other:
        SELECT client_id, class, cause FROM said
        -- end:
    ),
