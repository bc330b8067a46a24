-- title: Machines that wait for a restart
-- group: Compliance
-- columns: computer!, since!, for, last_report, online, client_id
-- empty: no machine waits for a restart
-- description: Machines on which an update, a deployment or a baseline waits for a restart, the longest waiting first,
--   whatever else is wrong with them.
-- param collection String = '': Only members of this collection
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- param search String = '': Part of the computer name or of the client id
-- order: since DateTime64(3,'UTC'), client_id UUID
-- note since: by the machine's clock, of what waits longest
-- note for: titles of what waits, up to twenty
-- note online: 1 = connected to a notification server at this moment; empty with as_of
-- link computer: /clients/{client_id}
-- link client_id: client-states?client={client_id}&as_of={as_of}&tz={tz}
-- with: stated, told, machine_stands, named
WITH
    ['update', 'deployment', 'baseline', 'scan'] AS asked_kinds,
    [toUInt32(300), 301, 302, 400, 401, 402, 500, 501] AS asked_types,
    called AS
    (
        SELECT client_id FROM clients
        WHERE positionCaseInsensitiveUTF8(netbios_name, {search:String}) > 0
           OR position(toString(client_id), lower(replaceRegexpOne({search:String}, '(?i)^guid:', ''))) > 0
    ),
    page AS
    (
        SELECT client_id, toDateTime64(assumeNotNull(restart_since), 3, 'UTC') AS waits, restart_for
        FROM machine_stands
        WHERE restart > 0
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          -- if search:
          AND client_id IN (SELECT client_id FROM called)
          -- end:
          AND ({after:UInt8} = 0 OR (waits, client_id) > ({after_since:DateTime64(3,'UTC')}, {after_client_id:UUID}))
        ORDER BY waits, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray((client_id, waits, restart_for)) FROM page) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    titled AS
    (
        SELECT topic_id, any(title) AS title
        FROM subjects
        WHERE topic_id IN (SELECT arrayJoin(arrayFlatten(arrayMap(p -> p.3, made))))
          AND kind IN ('update', 'deployment', 'baseline')
        GROUP BY topic_id
    ),
    (SELECT mapFromArrays(groupArray(topic_id), groupArray(title)) FROM titled) AS titles
SELECT
    c.netbios_name AS computer,
    p.2 AS since,
    arrayStringConcat(arrayMap(i -> if(titles[i] != '', titles[i], i), p.3), ', ') AS for,
    nullIf(c.last_report_time, toDateTime64(0, 6, 'UTC')) AS last_report,
    -- if as_of:
    CAST(NULL, 'Nullable(UInt8)') AS online,
    -- else:
    toNullable(p.1 IN (SELECT client_id FROM client_presence FINAL
        WHERE online_status = 1 AND client_id IN (SELECT arrayJoin(page_ids)))) AS online,
    -- end:
    p.1 AS client_id
FROM (SELECT arrayJoin(made) AS p) AS one
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM named) AS c ON c.client_id = p.1
ORDER BY since, client_id
