-- title: Clients whose states differ though nothing is missing
-- group: Completeness
-- columns: netbios_name!, client_states!, site_states!, detected_time, last_report, client_digest, site_digest,
--   client_id
-- empty: no client holds other states than the site
-- description: Clients that hold other states than the site although every message arrived and nothing waits: their own
--   count and digest of what they hold, sent with each request for their policy, differ from the site's.
-- order: detected_time DateTime64(6,'UTC'), client_id UUID
-- note client_states: numbered states the client says that it holds
-- note site_states: numbered states that the site holds of it
-- link netbios_name: /clients/{client_id}
-- link site_states: client-states?client={client_id}
SELECT
    c.netbios_name AS netbios_name,
    d.client_states AS client_states,
    d.site_states AS site_states,
    lower(leftPad(hex(d.client_digest), 16, '0')) AS client_digest,
    lower(leftPad(hex(d.site_digest), 16, '0')) AS site_digest,
    d.detected_time AS detected_time,
    c.last_report_time AS last_report,
    d.client_id AS client_id
FROM differing_clients AS d FINAL
LEFT JOIN (SELECT client_id, netbios_name, toNullable(clients.last_report_time) AS last_report_time FROM clients
    WHERE client_id IN (SELECT client_id FROM differing_clients)) AS c ON c.client_id = d.client_id
WHERE d.differs = 1 AND d.client_id NOT IN (SELECT client_id FROM retired_clients)
