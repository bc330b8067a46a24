-- Claims that are kept aside: not accepted, not settled by a baseline, and still more than 1,000,000 above all that was received.
    aside AS
    (
        SELECT a.client_id AS client_id, a.last_serial AS last_serial, greatest(s.last_serial, p.last_serial) AS known,
            a.claimed_time AS claimed_time
        FROM (SELECT client_id, last_serial, claimed_time FROM claims_aside FINAL) AS a
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
        WHERE a.last_serial > known + 1000000 AND a.claimed_time > b.time
    ),
