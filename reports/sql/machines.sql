-- title: Machines
-- group: Compliance
-- columns: computer!, required!, failed, restart, oldest_required, not_known, last_report, last_scan, client_id
-- empty: no machine is in this class
-- description: Where each machine stands over all its updates, deployments and baselines: how many it needs, how many of
--   them failed or wait for a restart, and of how many nothing is known. Those that need most come first.
-- param problem String = '' in '', any, failed, restart, required, not_known, none, compliant: Only machines in this class; any
--   takes all with a problem; none, or compliant, those without
-- param collection String = '': Only members of this collection
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- param group String = '': Only what belongs to this group of subjects
-- param search String = '': Part of the computer name or of the client id
-- order: required UInt32 desc, client_id UUID
-- note computer: empty = it never said its name
-- note class: the worst that applies: failed, restart, required, not_known, compliant
-- note required: not compliant: of updates, deployments and baselines; failed and restart are among them
-- note failed: with failed scans
-- note oldest_required: since when it is not compliant with the oldest of them, by the machine's clock
-- note not_known: what it needs an answer to and has none, or said that it does not know
-- note last_scan: its last completed scan for updates, by the machine's clock; empty = none
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
    standing AS
    (
        -- if group:
        SELECT client_id, indexOf(group_names, {group:String}) AS at,
            replaceOne(toString(group_classes[at]), 'not_applicable', 'compliant') AS class, group_required[at] AS required,
            group_failed[at] AS failed, group_restart[at] AS restart,
            nullIf(toDateTime(group_oldest[at], 'UTC'), toDateTime(0, 'UTC')) AS oldest_required,
            group_not_known[at] AS not_known, last_scan
        FROM machine_stands
        WHERE has(group_names, {group:String})
        -- else:
        SELECT client_id, class, required, failed, restart, oldest_required, not_known, last_scan
        FROM machine_stands
        WHERE 1
        -- end:
        -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- end:
    ),
    page AS
    (
        SELECT client_id, class, required, failed, restart, oldest_required, not_known, last_scan
        FROM standing
        WHERE multiIf({problem:String} = '', 1,
                      {problem:String} = 'any', class != 'compliant',
                      class = if({problem:String} = 'none', 'compliant', {problem:String}))
          -- if search:
          AND client_id IN (SELECT client_id FROM called)
          -- end:
          AND ({after:UInt8} = 0 OR required < {after_required:UInt32}
               OR required = {after_required:UInt32} AND client_id > {after_client_id:UUID})
        ORDER BY required DESC, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray((client_id, class, required, failed, restart, oldest_required, not_known, last_scan))
        FROM page) AS made,
    arrayMap(p -> p.1, made) AS page_ids
SELECT
    c.netbios_name AS computer,
    p.2 AS class,
    p.3 AS required,
    p.4 AS failed,
    p.5 AS restart,
    p.6 AS oldest_required,
    p.7 AS not_known,
    p.8 AS last_scan,
    nullIf(c.last_report_time, toDateTime64(0, 6, 'UTC')) AS last_report,
    p.1 AS client_id
FROM (SELECT arrayJoin(made) AS p) AS one
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM named) AS c ON c.client_id = p.1
ORDER BY required DESC, client_id
