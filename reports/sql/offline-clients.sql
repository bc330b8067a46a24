-- title: Clients without a connection that are there
-- group: Clients
-- columns: netbios_name!, last_sign!, connected, since, reason, why_http, client_version, client_id
-- empty: every client that reports has a connection
-- description: Clients that reported or asked for their policy lately and yet are connected to no notification server: a
--   wake does not reach them. The latest heard of first. `statewire explain` says of one what may stand in its way.
-- param hours UInt32 = 24 in 1..100000: Heard of within so many hours
-- param connected String = '' in '', never, offline: Only those that never were, or only those that are so no more
-- param collection String = '': Only members of this collection
-- order: last_sign DateTime64(6,'UTC') desc, client_id UUID
-- note last_sign: when it reported or asked for its policy last
-- note connected: never; or offline, with since when and why
-- note why_http: what TCP met when it was connected last by HTTP, in the client's own words
-- link netbios_name: /clients/{client_id}
-- link client_id: presence-history?client={client_id}
-- with: named
WITH
    heard AS
    (
        SELECT client_id, max(at) AS last_sign
        FROM
        (
            SELECT client_id, CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')') AS at FROM clients_seen
            UNION ALL
            SELECT client_id, CAST(client_claims.claimed_time, 'DateTime64(6, \'UTC\')') AS at FROM client_claims
        )
        WHERE at >= now64(6, 'UTC') - toIntervalHour({hours:UInt32})
        GROUP BY client_id
    ),
    page AS
    (
        SELECT client_id, last_sign
        FROM heard
        WHERE client_id NOT IN (SELECT client_id FROM client_presence FINAL WHERE online_status = 1)
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND ({connected:String} = '' OR (client_id IN (SELECT client_id FROM client_presence FINAL)) =
              ({connected:String} = 'offline'))
          AND ({after:UInt8} = 0 OR last_sign < {after_last_sign:DateTime64(6,'UTC')}
               OR last_sign = {after_last_sign:DateTime64(6,'UTC')} AND client_id > {after_client_id:UUID})
        ORDER BY last_sign DESC, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.last_sign AS last_sign,
    if(p.found = 1, 'offline', 'never') AS connected,
    if(p.found = 1, toNullable(p.since), NULL) AS since,
    p.reason AS reason,
    p.why AS why_http,
    c.client_version AS client_version,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, client_version FROM named) AS c ON c.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, 1 AS found, last_status_time AS since, CAST(client_presence.reason, 'String') AS reason, why
    FROM client_presence FINAL WHERE client_id IN (SELECT arrayJoin(page_ids))
) AS p ON p.client_id = page.client_id
ORDER BY last_sign DESC, client_id
