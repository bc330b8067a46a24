-- The population, each client with its class and, where nothing is known of it, the cause. Whoever of the scope is not here is outside.
    placed AS
    (
        SELECT client_id, class, '' AS cause
        FROM said
        WHERE the_target = '' OR client_id IN (SELECT client_id FROM collection_members WHERE name = the_target)
        UNION ALL
        -- Line 6: it looked, nothing of it is missing, and so it does not need it. Line 7: all others.
        SELECT client_id, if(looked, 'not_applicable_implied', 'not_known') AS class, if(looked, '', caused.cause) AS cause
        FROM (SELECT client_id, cause, the_target = '' AND last_scan >= the_seen AND NOT gap AS looked FROM caused) AS caused
    ),
