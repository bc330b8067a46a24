-- title: Serials that jumped
-- group: Completeness
-- columns: netbios_name!, kind!, serials, first_serial, last_serial, noticed, flagged, last_report, client_id
-- empty: no serial has jumped
-- description: Clients with a serial more than 1,000,000 above all that was known: a message that arrived, or only a
--   claim. What is missing below it counts in no other number: nobody lost so many messages. A counter that is broken,
--   a machine that was moved here, or somebody who speaks in the client's name.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param kind String = '' in '', messages, claim: Only jumps of messages, or only claims
-- order: noticed DateTime64(6,'UTC') desc, client_id UUID, first_serial UInt64
-- note kind: messages = the serial after last_serial arrived, or a person accepted a claim of last_serial; those of the range did not arrive; claim = the client said that it gave out last_serial, the site keeps that aside
-- note noticed: the first gap check that saw the range; of a claim, when it was last made
-- note flagged: messages of the client that are stored with the mark of a jump
-- link netbios_name: /clients/{client_id}
-- link client_id: messages?client={client_id}
-- with: wanted, aside, named
WITH
    jumped AS
    (
        SELECT kind, client_id, first_serial, last_serial, noticed
        FROM
        (
            SELECT 'messages' AS kind, client_id, first_serial, last_serial, detected_time AS noticed
            FROM missing_ranges FINAL
            WHERE closed = 0 AND jump = 1
            UNION ALL
            SELECT 'claim' AS kind, client_id, known + 1 AS first_serial, aside.last_serial AS last_serial,
                claimed_time AS noticed
            FROM aside
        )
        WHERE ({kind:String} = '' OR kind = {kind:String}) AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
    ),
    -- They are looked for once: read as a table, for their ids and for themselves.
    (SELECT groupArray((kind, client_id, first_serial, last_serial, noticed)) FROM jumped) AS made,
    arrayMap(p -> p.2, made) AS page_ids,
    rows AS (SELECT arrayJoin(made) AS p, p.1 AS kind, p.2 AS client_id, p.3 AS first_serial, p.4 AS last_serial,
        p.5 AS noticed)
SELECT
    c.netbios_name AS netbios_name,
    jumped.kind AS kind,
    jumped.first_serial AS first_serial,
    jumped.last_serial AS last_serial,
    toUInt64(jumped.last_serial - jumped.first_serial + 1) AS serials,
    jumped.noticed AS noticed,
    f.flagged AS flagged,
    c.last_report_time AS last_report,
    jumped.client_id AS client_id
FROM rows AS jumped
LEFT JOIN (SELECT client_id, netbios_name, toNullable(named.last_report_time) AS last_report_time FROM named) AS c
    ON c.client_id = jumped.client_id
LEFT JOIN
(
    SELECT client_id, uniqExact(serial) AS flagged FROM state_messages
    WHERE client_id IN (SELECT arrayJoin(page_ids)) AND bitTest(flags, 7) = 1 GROUP BY client_id
) AS f ON f.client_id = jumped.client_id
