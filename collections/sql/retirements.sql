-- How those of some clients that the site knows stand: with an empty state who was never retired.
SELECT k.client_id, CAST(r.state, 'String') AS state, r.retired_time, r.retired_by, r.reason, r.ended_time, r.ended_by,
    r.version
FROM
(
    SELECT client_id FROM clients_seen WHERE client_id IN ({clients:Array(UUID)})
    UNION DISTINCT
    SELECT client_id FROM client_claims WHERE client_id IN ({clients:Array(UUID)})
) AS k
LEFT JOIN
(
    SELECT client_id, state, retired_time, retired_by, reason, ended_time, ended_by, version
    FROM client_retirements FINAL
    WHERE client_id IN ({clients:Array(UUID)})
) AS r ON r.client_id = k.client_id
