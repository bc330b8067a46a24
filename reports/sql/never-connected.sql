-- title: Clients that were never connected
-- group: Clients
-- columns: client_version!, clients!, last_report
-- empty: every client that reports has been connected
-- description: How many clients never signed in at a notification server, by their version: an agent of an earlier version
--   has no channel. They are in no other report on presence but offline-clients, which names them one by one.
-- note last_report: the latest of any of them
-- link clients: offline-clients?hours=100000&connected=never
SELECT
    client_version,
    count() AS clients,
    max(last_report_time) AS last_report
FROM clients
WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
  AND client_id NOT IN (SELECT client_id FROM client_presence FINAL)
GROUP BY client_version
ORDER BY clients DESC, client_version
LIMIT 100
