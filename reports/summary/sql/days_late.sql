-- Topic ids of which something was loaded since the last look that had arrived before this day, with the first of those
-- arrivals. A client that was erased changes no day that is past.
SELECT topic_type, topic_id, min(toUnixTimestamp64Micro(received_time))
FROM state_messages
WHERE state_messages.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'days')
  AND received_time < fromUnixTimestamp64Micro({today:Int64}, 'UTC')
GROUP BY topic_type, topic_id
