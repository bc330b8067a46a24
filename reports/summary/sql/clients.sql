-- Clients that changed since the summary, a slice of them, unless they stand there just so.
INSERT INTO client_now (client_id, netbios_name, name_lower, client_version, client_type, first_report_time, last_report_time, version)
SELECT client_id, netbios_name, lower(netbios_name), client_version, client_type, first_report_time, last_report_time,
    (SELECT max(version) FROM client_now) + 1
FROM clients_fresh
WHERE sipHash64(client_id) % {slices:UInt64} = {slice:UInt64}
  AND (client_id, netbios_name, client_version, client_type, first_report_time, last_report_time) NOT IN
  (
      SELECT client_id, netbios_name, CAST(client_version, 'String'), client_type, first_report_time, last_report_time
      FROM client_now FINAL
      WHERE client_id IN (SELECT client_id FROM clients_changed WHERE sipHash64(client_id) % {slices:UInt64} = {slice:UInt64})
  )
