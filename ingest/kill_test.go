package ingest

const childEnv = "STATEWIRE_INGEST_CHILD"

func runChild(string) int { return 0 }
