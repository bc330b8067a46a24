-- title: Compliance of collections
-- group: Compliance
-- columns: collection!, percent!, clients, compliant_machines, required, failed, restart, not_known
-- empty: there is no collection
-- description: One row per collection: how many of its machines have all they need. Of a group of subjects, one row per
--   collection over what belongs to it.
-- param collection String = '': Only this collection
-- param group String = '': Only what belongs to this group of subjects
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: _percent Float64, collection String
-- note clients: members, without retired clients
-- note percent: machines that have all they need, of those that need any and have said how they stand, rounded down;
--   empty where there are none
-- note required: machines that need something, without those that failed or wait for a restart
-- note not_known: machines that lack nothing so far, and of which not everything is known
-- link collection: machines?collection={collection}&as_of={as_of}&tz={tz}
-- with: stated, told, machine_stands
WITH
    ['update', 'deployment', 'baseline', 'scan'] AS asked_kinds,
    [toUInt32(300), 301, 302, 400, 401, 402, 500, 501] AS asked_types,
    of_collections AS (SELECT name, client_id FROM collection_members WHERE {collection:String} = '' OR name = {collection:String}),
    standing AS
    (
        -- if group:
        SELECT client_id, indexOf(group_names, {group:String}) AS at,
            if(at = 0, 'outside', toString(group_classes[at])) AS stands,
            replaceOne(stands, 'not_applicable', 'compliant') AS class,
            stands IN ('failed', 'restart', 'required') AS lacks, stands = 'compliant' AS has
        -- else:
        SELECT client_id, class, required > 0 AS lacks, good > 0 AND class = 'compliant' AS has
        -- end:
        FROM machine_stands
        WHERE client_id IN (SELECT client_id FROM of_collections)
    ),
    counted AS
    (
        SELECT
            c.name AS name,
            count() AS clients,
            countIf(m.class = 'compliant') AS compliant_machines,
            countIf(m.has) AS have,
            countIf(m.lacks) AS lack,
            countIf(m.class = 'required') AS required,
            countIf(m.class = 'failed') AS failed,
            countIf(m.class = 'restart') AS restart,
            countIf(m.class = 'not_known') AS not_known
        FROM of_collections AS c
        INNER JOIN standing AS m ON m.client_id = c.client_id
        GROUP BY c.name
    )
SELECT
    kept.name AS collection,
    n.clients AS clients,
    n.compliant_machines AS compliant_machines,
    if(n.have + n.lack = 0, NULL, floor(100 * n.have / (n.have + n.lack), 1)) AS percent,
    n.required AS required,
    n.failed AS failed,
    n.restart AS restart,
    n.not_known AS not_known,
    ifNull(percent, 101) AS _percent
FROM (SELECT name FROM collections FINAL WHERE deleted = 0 AND ({collection:String} = '' OR name = {collection:String})) AS kept
LEFT JOIN counted AS n ON n.name = kept.name
