-- title: Counters that went back
-- group: Completeness
-- columns: netbios_name!, serial!, kind, received_time, detected_time, last_report, client_id
-- empty: no counter went back
-- description: Messages whose serial the client had used before: it was reinstalled, or restored from an image. Both
--   messages are kept; the client is asked to send everything again, which settles it.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param kind String = '' in '', reused, below_completion, below_retention: Only this kind
-- order: received_time DateTime64(6,'UTC') desc, client_id UUID, serial UInt64, kind String
-- note kind: reused = two different messages under one serial; below_completion = below a resync that was complete before; below_retention = below what is kept no longer
-- note received_time: arrival of the later message
-- link netbios_name: /clients/{client_id}
-- link serial: /clients/{client_id}?serial={serial}
SELECT
    c.netbios_name AS netbios_name,
    o.serial AS serial,
    toString(o.kind) AS kind,
    o.received_time AS received_time,
    o.detected_time AS detected_time,
    c.last_report_time AS last_report,
    o.client_id AS client_id
FROM open_conflicts AS o
LEFT JOIN (SELECT client_id, netbios_name, toNullable(clients.last_report_time) AS last_report_time FROM clients
    WHERE client_id IN (SELECT client_id FROM serial_conflicts)) AS c ON c.client_id = o.client_id
WHERE o.client_id NOT IN (SELECT client_id FROM retired_clients)
  AND ({kind:String} = '' OR o.kind = {kind:String})
  AND ({client:String} = '' OR lower(c.netbios_name) = lower(trim({client:String}))
       OR o.client_id = toUUIDOrZero(replaceRegexpOne(trim({client:String}), '(?i)^guid:', '')))
