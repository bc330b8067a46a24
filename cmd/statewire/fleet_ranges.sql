-- Open ranges of serials, in the order of the fleet's store file.
SELECT lower(toString(ClientID)) AS client, FirstSerial, LastSerial
FROM SR_MissingMessageRanges
WHERE {client:String} = '' OR ClientID = toUUIDOrZero({client:String})
ORDER BY client, FirstSerial
