module partywall.dev/bundle/git-server

go 1.24
