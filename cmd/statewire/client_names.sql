-- Clients by computer name, the ones that reported last first. The names come in lower case and without blanks around them, one per line.
SELECT client_id, netbios_name, last_report_time
FROM clients
WHERE lowerUTF8(netbios_name) IN (SELECT arrayJoin(splitByChar('\n', {names:String})))
ORDER BY last_report_time DESC, client_id
