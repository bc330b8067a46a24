-- The computers' names of clients whose ids stand in lines.
SELECT client_id, netbios_name
FROM clients
WHERE client_id IN (SELECT toUUID(arrayJoin(splitByChar('\n', {ids:String}))))
