package configs

// SystemFile is the machine's configuration. It is where only administrators may write: everybody can make folders
// elsewhere.
const SystemFile = `C:\Program Files\statewire\statewire.yaml`
