-- How many clients changed since a time: reports of them were loaded, or they claimed a serial, or a baseline was set.
SELECT uniqExact(client_id)
FROM
(
    SELECT client_id FROM client_stats_data WHERE client_stats_data.loaded_time >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT client_id FROM client_claims WHERE client_claims.loaded_time >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT client_id FROM baselines WHERE baselines.loaded_time >= {since:DateTime64(3, 'UTC')}
)
