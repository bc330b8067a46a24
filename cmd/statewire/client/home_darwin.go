package client

// agentHome is where the service, set up as docs/agent.md says, keeps a machine's agent.
const agentHome = "/var/db/statewire-agent"
