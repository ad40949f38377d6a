{{/* The trainer's settings, and what is known of where films and checkpoints lie. */}}

{{/* "true" where no films are named, so phantom films are drawn. */}}
{{- define "cxr-train.phantom" -}}
{{- if not (dig "data" "training" "" .Values.training) }}true{{ end -}}
{{- end -}}

{{/* The tree that the trainer reads: values.training, over what the chart knows. */}}
{{- define "cxr-train.training" -}}
{{- $device := ternary "gpu" "cpu" (gt (int .Values.workers.gpusPerWorker) 0) -}}
{{- $tree := dict "telemetry" (dict "port" 9100 "address" "0.0.0.0") "checkpoint" (dict "directory" (printf "/checkpoints/%s" (include "cxr-train.fullname" .))) "train" (dict "device" $device) -}}
{{- $cache := dict "directory" "/cache" "gibibytes" (include "cxr-train.cacheGibibytes" . | float64) -}}
{{- $tree = mergeOverwrite $tree (dict "data" (dict "cache" $cache)) -}}
{{- if include "cxr-train.phantom" . -}}
{{- $films := dict
      "prepare" (dict "source" (list "/data/films/films") "table" "/data/films/Data_Entry.csv" "destination" "/data/set"
        "train_list" "/data/films/train_val_list.txt" "test_list" "/data/films/test_list.txt")
      "data" (dict "training" "/data/set/training" "validation" "/data/set/validation" "test" "/data/set/test") -}}
{{- $tree = mergeOverwrite $tree (.Files.Get "phantom.yaml" | fromYaml) $films -}}
{{- end -}}
{{- mergeOverwrite $tree (deepCopy .Values.training) | toYaml -}}
{{- end -}}

{{/* Nine tenths of cache.sizeLimit: a pod whose volume outgrows its limit is evicted. */}}
{{- define "cxr-train.cacheGibibytes" -}}
{{- $size := toString .Values.cache.sizeLimit -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 -}}
{{- $number := regexFind "^[0-9.]+(e[-+]?[0-9]+)?" $size -}}
{{- divf (mulf 0.9 (float64 $number) (get $units (trimPrefix $number $size))) 1073741824.0 | printf "%.6g" -}}
{{- end -}}

{{- define "cxr-train.metricsPort" -}}
{{- dig "telemetry" "port" 9100 .Values.training | int -}}
{{- end -}}

{{/* How checkpoints are kept: claim, store, elsewhere (a volume of the user's own) or pod. */}}
{{- define "cxr-train.checkpoints" -}}
{{- $directory := dig "checkpoint" "directory" "" .Values.training -}}
{{- with .Values.checkpoint.persistence -}}
{{- if contains "://" $directory }}store
{{- else if and $directory (not (hasPrefix "/checkpoints" $directory)) }}elsewhere
{{- else if or .enabled .existingClaim }}claim
{{- else }}pod{{ end -}}
{{- end -}}
{{- end -}}

{{/* Every object store's address in the settings, as a JSON list. */}}
{{- define "cxr-train.stores" -}}
{{- $data := .Values.training.data | default dict -}}
{{- $prepare := .Values.training.prepare | default dict -}}
{{- $addresses := list $data.training $data.validation $data.test (dig "checkpoint" "directory" "" .Values.training) (dig "trackers" "tensorboard" "directory" "" .Values.training) -}}
{{- if .Values.prepare.enabled -}}
{{- $addresses = concat $addresses ($prepare.source | default list) (list $prepare.table $prepare.train_list $prepare.test_list $prepare.destination) -}}
{{- end -}}
{{- $found := list -}}
{{- range $addresses -}}
{{- if contains "://" (toString .) }}{{ $found = append $found . }}{{ end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The port of the store's endpoint, where one is named. */}}
{{- define "cxr-train.storePort" -}}
{{- include "cxr-train.port" (dig "store" "endpoint" "" .Values.training | default "") -}}
{{- end -}}

{{/* The MLflow server's address, where runs are tracked in one and not in a folder. */}}
{{- define "cxr-train.mlflow" -}}
{{- $address := dig "trackers" "mlflow" "address" "" .Values.training -}}
{{- if contains "://" $address }}{{ $address }}{{ end -}}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "cxr-train.port" -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (hasPrefix "http://" .)) -}}
{{- end -}}

{{- define "cxr-train.ranksPerWorker" -}}
{{- ternary .Values.workers.gpusPerWorker .Values.workers.ranksPerWorker (gt (int .Values.workers.gpusPerWorker) 0) | int -}}
{{- end -}}
