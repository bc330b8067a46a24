-- Claims of clients that are kept aside, of all when none is named: not accepted, not settled by a baseline, and still
-- more than {jump} above all that was received.
SELECT a.client_id AS client_id, a.last_serial AS last_serial, a.claimed_time AS claimed_time
FROM
(
    SELECT client_id, last_serial, claimed_time
    FROM claims_aside FINAL
    WHERE empty({clients:Array(UUID)}) OR client_id IN ({clients:Array(UUID)})
) AS a
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial
    FROM client_stats_data WHERE client_id IN (SELECT client_id FROM claims_aside) GROUP BY client_id
) AS s ON s.client_id = a.client_id
LEFT JOIN
(
    SELECT client_id, max(accepted_claims.last_serial) AS last_serial
    FROM accepted_claims WHERE client_id IN (SELECT client_id FROM claims_aside) GROUP BY client_id
) AS p ON p.client_id = a.client_id
LEFT JOIN
(
    SELECT client_id, max(baselines.accepted_time) AS time
    FROM baselines WHERE client_id IN (SELECT client_id FROM claims_aside) GROUP BY client_id
) AS b ON b.client_id = a.client_id
WHERE a.last_serial > greatest(s.last_serial, p.last_serial) + {jump:UInt64} AND a.claimed_time > b.time
  AND (notEmpty({clients:Array(UUID)}) OR a.client_id NOT IN (SELECT client_id FROM retired_clients))
ORDER BY client_id
