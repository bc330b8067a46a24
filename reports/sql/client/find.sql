-- Clients of one computer name, the ones that reported last first.
SELECT client_id, netbios_name, last_report_time
FROM clients
WHERE lower(netbios_name) = lower(trim({name:String}))
ORDER BY last_report_time DESC, client_id
LIMIT 50
