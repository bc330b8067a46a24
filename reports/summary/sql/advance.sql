-- How far a summary goes from now on.
INSERT INTO summary_progress (job, number, until)
VALUES ({job:String}, {number:UInt64}, fromUnixTimestamp64Milli({until:Int64}, 'UTC'))
