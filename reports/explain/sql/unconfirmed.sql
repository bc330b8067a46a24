-- How many states of one client its latest whole cache left out, given the serial at which that cache began.
-- The end of a resync is said on topic 700: that is no state, so it is never unconfirmed.
SELECT count() AS states
FROM current_states
WHERE client_id = {client:UUID} AND serial > 0 AND serial < {floor:UInt64} AND topic_type != 700
  AND ({type:Int64} < 0 OR topic_type = {type:Int64} AND topic_id = {id:String})
