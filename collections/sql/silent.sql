-- Clients of whom nothing was heard since {since}, and that are not retired. A time that lies ahead was stamped by a
-- clock that was wrong: then the moment when the store took it counts.
SELECT h.client_id AS client_id, max(h.version) AS version
FROM
(
    SELECT client_id, least(CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')'),
            CAST(clients_seen.loaded_time, 'DateTime64(6, \'UTC\')')) AS heard, toUInt64(0) AS version
    FROM clients_seen
    UNION ALL
    SELECT client_id, least(CAST(client_claims.claimed_time, 'DateTime64(6, \'UTC\')'),
            CAST(client_claims.loaded_time, 'DateTime64(6, \'UTC\')')), toUInt64(0)
    FROM client_claims
    UNION ALL
    SELECT client_id, ended_time, version
    FROM client_retirements FINAL
) AS h
WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
GROUP BY client_id
HAVING max(h.heard) < {since:DateTime64(6, 'UTC')}
