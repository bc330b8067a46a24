-- title: Presence of clients
-- group: Clients
-- columns: netbios_name!, is!, channel, since, last_heard, server, reason, why_http, address, client_id
-- empty: no client was ever connected
-- description: Which clients are connected to a notification server, over which channel and since when, and why the
--   others are not: the latest change first. Clients that were never connected are not here. `statewire explain` says it
--   of one client in sentences.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param is String = '' in '', online, offline: Only these
-- param channel String = '' in '', TCP, HTTP: Only these
-- param server String = '': Only clients of this notification server; empty takes all
-- param reason String = '': Only this reason, such as silent or server_lost; empty takes all
-- param collection String = '': Only members of this collection
-- order: since DateTime64(6,'UTC') desc, client_id UUID
-- note is: offline with the reason server_lost says nothing about the client: its server does not report
-- note channel: of clients that are offline the last one
-- note since: when the client came, or was declared offline
-- note last_heard: when the last byte of it came, as far as its server told; of a client that is online that may be long before now
-- note reason: signin, or why it is offline: closed, reset, silent, server_stopping, server_lost, server_full, revoked; duplicate = several machines have its identity
-- note why_http: why the client does not use TCP, in its own words
-- link netbios_name: /clients/{client_id}
-- link client_id: presence-history?client={client_id}
-- with: wanted, named
WITH
    page AS
    (
        SELECT client_id, online_status, channel_type, server_id, last_status_time AS since, last_heard, address,
            CAST(client_presence.reason, 'String') AS reason, why
        FROM client_presence FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
          AND ({is:String} = '' OR online_status = ({is:String} = 'online'))
          AND ({channel:String} = '' OR channel_type = ({channel:String} = 'HTTP'))
          AND ({reason:String} = '' OR client_presence.reason = {reason:String})
          AND ({server:String} = '' OR server_id IN
              (SELECT server_id FROM notification_servers FINAL WHERE lower(server_name) = lower({server:String})))
          AND ({after:UInt8} = 0 OR since < {after_since:DateTime64(6,'UTC')}
               OR since = {after_since:DateTime64(6,'UTC')} AND client_id > {after_client_id:UUID})
        ORDER BY since DESC, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    if(page.online_status = 1, 'online', 'offline') AS is,
    if(page.channel_type = 1, 'HTTP', 'TCP') AS channel,
    s.server_name AS server,
    page.since AS since,
    nullIf(page.last_heard, toDateTime64(0, 6, 'UTC')) AS last_heard,
    page.reason AS reason,
    page.why AS why_http,
    page.address AS address,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name FROM named) AS c ON c.client_id = page.client_id
LEFT JOIN (SELECT server_id, server_name FROM notification_servers FINAL) AS s ON s.server_id = page.server_id
ORDER BY since DESC, client_id
