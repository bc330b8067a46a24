-- Clients that reported or asked for their policy, and are not retired.
SELECT DISTINCT client_id
FROM
(
    SELECT client_id FROM clients_seen
    UNION ALL
    SELECT client_id FROM client_claims
)
WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
