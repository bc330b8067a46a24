-- title: Compliance of collections
-- group: Compliance
-- columns: collection!, percent!, clients, compliant_machines, required, failed, restart, not_known
-- empty: there is no collection
-- description: One row per collection: how many of its machines have all they need. Of a group of subjects, one row per
--   collection over what belongs to it.
-- param group String = '': Only what belongs to this group of subjects
-- order: _percent Float64, collection String
-- note clients: members, without retired clients
-- note percent: machines that have all they need, of those that need any and have said how they stand, rounded down;
--   empty where there are none
-- note required: machines that need something, without those that failed or wait for a restart
-- note not_known: machines that lack nothing so far, and of which not everything is known
-- link collection: machines?collection={collection}
WITH
    members AS (SELECT name, client_id FROM collection_members),
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
        FROM machine_states
        WHERE client_id IN (SELECT client_id FROM members)
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
        FROM members AS c
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
FROM (SELECT name FROM collections FINAL WHERE deleted = 0) AS kept
LEFT JOIN counted AS n ON n.name = kept.name
