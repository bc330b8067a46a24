-- title: Bad records
-- group: Site
-- columns: netbios_name!, code!, set_aside_time, reason, serial, is, line, column, received_time, source_file,
--   report_index, record_index, client_id
-- empty: no record was set aside
-- description: State messages set aside from otherwise readable reports, with the reason; the others of the same report
--   were stored.
-- param code String = '': Only this reason code
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param hours UInt32 = 0 in 0..100000: Only the last so many hours; 0 takes all
-- order: set_aside_time DateTime64(3,'UTC') desc, client_id UUID, source_file String, report_index UInt32, record_index UInt32
-- note is: set aside, replayed, dropped, or limit (dropped by ingest.corrupt_limit)
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
SELECT
    r.set_aside_time AS set_aside_time,
    c.netbios_name AS netbios_name,
    r.serial AS serial,
    r.code AS code,
    r.reason AS reason,
    r.line AS line,
    r.column AS column,
    if(e.how != '', e.how, 'set aside') AS is,
    r.source_file AS source_file,
    r.received_time AS received_time,
    r.report_index AS report_index,
    r.record_index AS record_index,
    r.client_id AS client_id
FROM
(
    SELECT *, if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name
    FROM set_aside_records FINAL
) AS r
ASOF LEFT JOIN (SELECT name, until, how FROM set_aside_ends FINAL) AS e ON e.name = r.name
    AND e.until >= r.set_aside_time
LEFT JOIN (SELECT client_id, netbios_name FROM clients
    WHERE client_id IN (SELECT client_id FROM set_aside_records)) AS c ON c.client_id = r.client_id
WHERE ({code:String} = '' OR r.code = {code:String})
  AND ({client:String} = '' OR lower(c.netbios_name) = lower(trim({client:String}))
       OR r.client_id = toUUIDOrZero(replaceRegexpOne(trim({client:String}), '(?i)^guid:', '')))
  AND ({hours:UInt32} = 0 OR r.set_aside_time >= now64(3, 'UTC') - toIntervalHour({hours:UInt32}))
