{{/* What cannot work, told before anything is made: the key, its value, the rule, the cure. */}}

{{- define "cxr-train.checks.removed" -}}
{{- range $key, $cure := .Files.Get "removed.yaml" | fromYaml -}}
  {{- $node := $.Values -}}
  {{- $given := true -}}
  {{- range splitList "." $key -}}
    {{- $given = and $given (hasKey $node .) -}}
    {{- $below := ternary (get $node .) dict $given -}}
    {{- $node = ternary $below dict (kindIs "map" $below) -}}
  {{- end -}}
  {{- if $given }}{{ fail (printf "%s is gone: %s" $key $cure) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* A setting by its dotted path; empty where it is not given. */}}
{{- define "cxr-train.checks.setting" -}}
{{- $node := .training -}}
{{- range splitList "." .path -}}
  {{- $node = ternary (get (ternary $node dict (kindIs "map" $node)) .) "" (kindIs "map" $node) -}}
{{- end -}}
{{- $node -}}
{{- end -}}

{{- define "cxr-train.checks.values" -}}
{{- $films := dig "data" "training" "" .Values.training -}}
{{- $claim := .Values.data.existingClaim -}}
{{- $prepare := .Values.training.prepare | default dict -}}
{{- if and $claim (not $films) -}}
  {{- fail (printf "data.existingClaim is '%s', but training.data.training is empty: name the prepared set in it, such as --set training.data.training=/data/nih/training" $claim) -}}
{{- end -}}
{{- if and (hasPrefix "/data/" $films) (not $claim) (not .Values.extraVolumeMounts) -}}
  {{- fail (printf "training.data.training is '%s', but nothing is mounted at /data: set data.existingClaim to the volume claim that holds the films" $films) -}}
{{- end -}}
{{- if and (not $films) (or $prepare.source $prepare.table $prepare.destination) -}}
  {{- fail "training.prepare names films, but training.data.training is empty, so phantom films would be drawn: set training.data.training to the folder 'training' of training.prepare.destination" -}}
{{- end -}}
{{- if .Values.prepare.enabled -}}
  {{- if not $prepare.destination -}}
    {{- fail "prepare.enabled is true, but training.prepare.destination is empty: name the folder to fill, such as --set training.prepare.destination=/data/nih" -}}
  {{- end -}}
  {{- if ne (int ($prepare.workers | default .Values.prepare.workers)) (int .Values.prepare.workers) -}}
    {{- fail (printf "training.prepare.workers is %d, but the Job has %d pods: set prepare.workers, which sets both" (int $prepare.workers) (int .Values.prepare.workers)) -}}
  {{- end -}}
  {{- if ge (int (dig "worker" -1 $prepare)) 0 -}}
    {{- fail (printf "training.prepare.worker is %d, but each pod of the Job has a number of its own: leave it out" (int $prepare.worker)) -}}
  {{- end -}}
  {{- if not (or $claim .Values.extraVolumeMounts (contains "://" $prepare.destination)) -}}
    {{- fail (printf "training.prepare.destination is '%s', which ends with the pod that fills it: set data.existingClaim to a volume claim that can be written" $prepare.destination) -}}
  {{- end -}}
{{- end -}}
{{- range $path := list "checkpoint.directory" "trackers.tensorboard.directory" "trackers.mlflow.address" -}}
  {{- $where := include "cxr-train.checks.setting" (dict "path" $path "training" $.Values.training) -}}
  {{- if and $where (not (or (hasPrefix "/" $where) (contains "://" $where))) -}}
    {{- $kind := ternary "server" "store" (hasSuffix "address" $path) -}}
    {{- fail (printf "training.%s is '%s', but a pod's own folders are read-only: start it with / or with a %s's address" $path $where $kind) -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.mlflow.existingSecret (not (include "cxr-train.mlflow" .)) -}}
  {{- fail (printf "mlflow.existingSecret is '%s', but training.trackers.mlflow.address names no server: set it, such as --set training.trackers.mlflow.address=http://mlflow.mlflow.svc:5000" .Values.mlflow.existingSecret) -}}
{{- end -}}
{{- end -}}

{{/* A cluster is at hand when kinds are known beside versions; `helm template` knows versions only, and is let through. */}}
{{- define "cxr-train.cluster" -}}
{{- if .Capabilities.APIVersions.Has "v1/Pod" }}true{{ end -}}
{{- end -}}

{{- define "cxr-train.checks.types" -}}
{{- if include "cxr-train.cluster" . -}}
  {{- if not (.Capabilities.APIVersions.Has "kubeflow.org/v2beta1/MPIJob") -}}
    {{- fail "This cluster has no MPIJob of kubeflow.org/v2beta1. Install the MPI operator (it takes cluster rights): kubectl apply --server-side -f https://raw.githubusercontent.com/kubeflow/mpi-operator/v0.8.2/deploy/v2beta1/mpi-operator.yaml" -}}
  {{- end -}}
  {{- $prometheus := "This cluster has no %s of monitoring.coreos.com/v1. Install the Prometheus operator (the chart kube-prometheus-stack has it), or leave %s.enabled false" -}}
  {{- if and .Values.podMonitor.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor")) -}}
    {{- fail (printf $prometheus "PodMonitor" "podMonitor") -}}
  {{- end -}}
  {{- if and .Values.prometheusRule.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PrometheusRule")) -}}
    {{- fail (printf $prometheus "PrometheusRule" "prometheusRule") -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Helm ends where it may not list nodes, and prints this template's name: so the name is the cure. */}}
{{- define "if you may not list nodes, add --set preflight.gpus=false" -}}
{{- $resource := .Values.workers.gpuResource -}}
{{- $nodes := (lookup "v1" "Node" "" "").items -}}
{{- $found := dict -}}
{{- range $nodes -}}
  {{- if gt (dig "status" "allocatable" $resource "0" . | int) 0 }}{{ $_ := set $found "gpu" true }}{{ end -}}
{{- end -}}
{{- if and $nodes (not $found) -}}
  {{- fail (printf "workers.gpusPerWorker is %d, but no node of this cluster offers %s. Without GPUs, use -f helm/presets/cpu.yaml; with them, install the GPU operator or its device plugin; where nodes come when they are needed, add --set preflight.gpus=false" (int .Values.workers.gpusPerWorker) $resource) -}}
{{- end -}}
{{- end -}}

{{- define "cxr-train.checks.gpus" -}}
{{- if and .Values.preflight.gpus (gt (int .Values.workers.gpusPerWorker) 0) (include "cxr-train.cluster" .) -}}
{{- include "if you may not list nodes, add --set preflight.gpus=false" . -}}
{{- end -}}
{{- end -}}
