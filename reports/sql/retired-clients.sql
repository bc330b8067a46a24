-- title: Retired clients
-- group: Clients
-- columns: netbios_name!, retired_time!, retired_by, reason, last_report, client_id
-- empty: no client is retired
-- description: Clients that were retired, by a person or after clients.retire_after of silence: they are in no other
--   count, their history is kept, and the next report of one brings it back.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- order: retired_time DateTime64(6,'UTC') desc, client_id UUID
-- note retired_by: who retired it; site = it was silent for clients.retire_after
-- note last_report: empty = never
-- link netbios_name: /clients/{client_id}
-- link client_id: client-states?client={client_id}
-- with: wanted, named
WITH
    page AS
    (
        SELECT client_id, retired_time, retired_by, reason
        FROM retired_clients
        WHERE ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
          AND ({after:UInt8} = 0 OR retired_time < {after_retired_time:DateTime64(6,'UTC')}
               OR retired_time = {after_retired_time:DateTime64(6,'UTC')} AND client_id > {after_client_id:UUID})
        ORDER BY retired_time DESC, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.retired_time AS retired_time,
    page.retired_by AS retired_by,
    page.reason AS reason,
    c.last_report_time AS last_report,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, toNullable(named.last_report_time) AS last_report_time FROM named) AS c
    ON c.client_id = page.client_id
ORDER BY retired_time DESC, client_id
