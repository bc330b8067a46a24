-- title: Compliance of collections
-- group: Compliance
-- columns: collection!, percent!, clients, compliant_machines, required, failed, restart, not_known
-- empty: there is no collection
-- description: One row per collection: how many of its machines have all they need. Of a group of subjects, one row per
--   collection over what belongs to it.
-- param group String = '': Only what belongs to this group of subjects, counted at once
-- order: _percent Float64, collection String
-- note clients: members, without retired clients
-- note percent: machines that have all they need, of those that need any and have said how they stand, rounded down;
--   empty where there are none
-- note required: machines that need something, without those that failed or wait for a restart
-- note not_known: machines that lack nothing so far, and of which not everything is known
-- link collection: machines?collection={collection}
-- with: figures
WITH
    asked_machines AS
    (
        SELECT DISTINCT client_id FROM clients_seen
        WHERE client_id IN (SELECT client_id FROM collection_members)
    ),
    (
        SELECT groupArray((toUInt32(rowNumberInAllBlocks()), kind, topic_id, first_seen, target))
        FROM subjects
        WHERE grp = {group:String} AND kind IN ('update', 'deployment', 'baseline', 'scan')
    ) AS subject_rows,
    asked_subjects AS
    (
        SELECT arrayJoin(subject_rows) AS s, s.1 AS number, s.2 AS kind, s.3 AS topic_id, s.4 AS first_seen, s.5 AS target
    ),
    asked_states AS
    (
        SELECT client_id, topic_type, topic_id, state_id, message_time, serial
        FROM current_states
        WHERE topic_type IN (300, 301, 302, 400, 401, 402, 500, 501)
          AND topic_id IN (SELECT topic_id FROM asked_subjects)
          AND client_id IN (SELECT client_id FROM asked_machines)
    ),
    standing AS
    (
        SELECT client_id, class, required, good
        -- if group:
        FROM
        (
            SELECT *, multiIf(failed > 0, 'failed', restart > 0, 'restart', required > 0, 'required',
                not_known > 0, 'not_known', subjects = 0, 'outside', 'compliant') AS class
            FROM figures
        )
        -- else:
        FROM machine_states
        -- end:
    )
SELECT
    kept.name AS collection,
    countIf(m.class != '') AS clients,
    countIf(m.class = 'compliant') AS compliant_machines,
    countIf(m.class = 'compliant' AND m.good > 0) AS _have,
    countIf(m.class != 'compliant' AND m.required > 0) AS _lack,
    if(_have + _lack = 0, NULL, floor(100 * _have / (_have + _lack), 1)) AS percent,
    countIf(m.class = 'required') AS required,
    countIf(m.class = 'failed') AS failed,
    countIf(m.class = 'restart') AS restart,
    countIf(m.class = 'not_known') AS not_known,
    ifNull(percent, 101) AS _percent
FROM (SELECT name FROM collections FINAL WHERE deleted = 0) AS kept
LEFT JOIN (SELECT name, client_id FROM collection_members) AS c ON c.name = kept.name
LEFT JOIN standing AS m ON m.client_id = c.client_id
GROUP BY collection
