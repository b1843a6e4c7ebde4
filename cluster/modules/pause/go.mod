module kserve-multi-model/cluster/pause

go 1.26.0
