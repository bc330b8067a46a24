-- How many clients the site had at the end of each day: those that had reported and were not retired.
SELECT toUInt16(day), count()
FROM
(
    SELECT client_id, arrayJoin(arrayFilter(i -> toUnixTimestamp64Micro(first_report_time) <= {ends:Array(Int64)}[i],
        arrayEnumerate({ends:Array(Int64)}))) AS day
    FROM clients_seen FINAL
)
WHERE (client_id, day) NOT IN
(
    SELECT client_id, arrayJoin(arrayFilter(i -> toUnixTimestamp64Micro(retired_time) <= {ends:Array(Int64)}[i]
        AND (state IN ('retired', 'erasing') OR toUnixTimestamp64Micro(ended_time) > {ends:Array(Int64)}[i]),
        arrayEnumerate({ends:Array(Int64)})))
    FROM client_retirements FINAL
)
GROUP BY day
