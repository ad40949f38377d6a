{{/* The pods: a launcher, the workers, and what all pods of a release share. Each takes a dict of root, job and settings. */}}

{{/* Labels and annotations of a pod. Azure's webhook gives an identity to pods with its label. */}}
{{- define "cxr-train.pod.metadata" -}}
{{- $labels := .root.Values.podLabels -}}
{{- if and (has .component (list "worker" "prepare")) (hasKey .root.Values.serviceAccount.annotations "azure.workload.identity/client-id") -}}
{{- $labels = merge (dict "azure.workload.identity/use" "true") $labels -}}
{{- end -}}
labels:
  {{- include "cxr-train.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with $labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the spec of every pod begins with. */}}
{{- define "cxr-train.pod.common" -}}
{{- with .root.Values -}}
enableServiceLinks: false
securityContext:
  {{- toYaml .podSecurityContext | nindent 2 }}
{{- with .imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a pod may run; "nodeSelector" and "tolerations" of the context. */}}
{{- define "cxr-train.pod.place" -}}
{{- $place := dict -}}
{{- with .nodeSelector }}{{ $_ := set $place "nodeSelector" . }}{{ end -}}
{{- with .tolerations }}{{ $_ := set $place "tolerations" . }}{{ end -}}
{{- if $place }}{{ toYaml $place }}{{ end -}}
{{- end -}}

{{/* What every container has. */}}
{{- define "cxr-train.container.common" -}}
image: {{ include "cxr-train.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}

{{/* Which job this pod is of, the user's own variables and, with "credentials" in the context, the store's, with "tracking" MLflow's; CXR_TRAIN_PASS has `work` hand them on to the ranks. */}}
{{- define "cxr-train.container.env" -}}
{{- $secret := ternary .root.Values.existingSecret "" (hasKey . "credentials") -}}
{{- $keys := ternary .root.Values.existingSecretKeys dict (not (empty $secret)) -}}
{{- $names := keys $keys | sortAlpha -}}
{{- range .root.Values.extraEnv }}{{ $names = append $names .name }}{{ end -}}
{{- $whole := list -}}
{{- if and $secret (not $keys) }}{{ $whole = append $whole $secret }}{{ end -}}
{{- if and (hasKey . "tracking") .root.Values.mlflow.existingSecret }}{{ $whole = append $whole .root.Values.mlflow.existingSecret }}{{ end -}}
{{- with $whole -}}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{ end -}}
env:
  {{- if .job }}
  - {name: CXR_TRAIN_JOB, value: {{ .job | quote }}}
  - {name: CXR_TRAIN_RELEASE, value: {{ .root.Release.Name | quote }}}
  - {name: CXR_TRAIN_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
  - {name: CXR_TRAIN_POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: CXR_TRAIN_WORKERS, value: {{ .root.Values.workers.count | int | quote }}}
  - {name: CXR_TRAIN_RANKS_PER_WORKER, value: {{ include "cxr-train.ranksPerWorker" .root | quote }}}
  {{- end }}
  {{- with $names }}
  - {name: CXR_TRAIN_PASS, value: {{ join "," . | quote }}}
  {{- end }}
  {{- range $name, $key := $keys }}
  - {name: {{ $name }}, valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ $key | quote }}}}}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The settings, and what is writable on a read-only root. */}}
{{- define "cxr-train.container.mounts" -}}
- {name: training, mountPath: /etc/cxr-train, readOnly: true}
- {name: tmp, mountPath: /tmp}
- {name: run, mountPath: /run/cxr-train}
- {name: users, mountPath: /var/lib/extrausers}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* "settings" of the context: the ConfigMap with config.yaml. */}}
{{- define "cxr-train.pod.volumes" -}}
- {name: training, configMap: {name: {{ .settings }}}}
- {name: tmp, emptyDir: {}}
- {name: run, emptyDir: {}}
- {name: users, emptyDir: {}}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A pod template of the MPIJob's launcher. */}}
{{- define "cxr-train.launcher" -}}
{{- $values := .root.Values -}}
metadata:
  {{- include "cxr-train.pod.metadata" (merge (dict "component" "launcher") .) | nindent 2 }}
spec:
  {{- include "cxr-train.pod.common" . | nindent 2 }}
  serviceAccountName: {{ include "cxr-train.launcherAccount" .root | quote }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds | int }}
  {{- with include "cxr-train.pod.place" (dict
        "nodeSelector" ($values.launcher.nodeSelector | default $values.nodeSelector)
        "tolerations" ($values.launcher.tolerations | default $values.tolerations)) }}{{ . | nindent 2 }}{{ end }}
  {{- if $values.prepare.enabled }}
  initContainers:
    - name: wait-for-films
      {{- include "cxr-train.container.common" . | nindent 6 }}
      command: [/opt/cxr-train/venv/bin/python, /etc/cxr-train-scripts/wait_for_films.py]
      env:
        - {name: CXR_TRAIN_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: CXR_TRAIN_JOB, value: {{ .job | quote }}}
        - {name: CXR_TRAIN_PREPARE_JOB, value: {{ include "cxr-train.prepare" .root }}}
      resources:
        {{- toYaml $values.launcher.resources | nindent 8 }}
      volumeMounts:
        - {name: scripts, mountPath: /etc/cxr-train-scripts, readOnly: true}
  {{- end }}
  containers:
    - name: launcher
      {{- include "cxr-train.container.common" . | nindent 6 }}
      command: [cxr-train, launch, --config, /etc/cxr-train/config.yaml]
      {{- include "cxr-train.container.env" . | nindent 6 }}
      resources:
        {{- toYaml $values.launcher.resources | nindent 8 }}
      volumeMounts:
        {{- include "cxr-train.container.mounts" . | nindent 8 }}
  volumes:
    {{- include "cxr-train.pod.volumes" . | nindent 4 }}
    {{- if $values.prepare.enabled }}
    - {name: scripts, configMap: {name: {{ include "cxr-train.fullname" .root }}-scripts}}
    {{- end }}
{{- end -}}

{{/* A pod template of the MPIJob's workers. */}}
{{- define "cxr-train.worker" -}}
{{- $values := .root.Values -}}
{{- $phantom := include "cxr-train.phantom" .root -}}
{{- $gpus := int $values.workers.gpusPerWorker -}}
{{- $resources := deepCopy $values.workers.resources -}}
{{- $tolerations := $values.tolerations -}}
{{- $devices := deepCopy $values.workers.extraResources -}}
{{- if $gpus -}}
{{- $devices = merge (dict $values.workers.gpuResource $gpus) $devices -}}
{{- $tolerations = append $tolerations (dict "key" $values.workers.gpuResource "operator" "Exists" "effect" "NoSchedule") -}}
{{- end -}}
{{- $_ := set $resources "limits" (merge $devices ($resources.limits | default dict)) -}}
metadata:
  {{- include "cxr-train.pod.metadata" (merge (dict "component" "worker") .) | nindent 2 }}
spec:
  {{- include "cxr-train.pod.common" . | nindent 2 }}
  serviceAccountName: {{ include "cxr-train.workerAccount" .root | quote }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds | int }}
  {{- with $values.runtimeClassName }}
  runtimeClassName: {{ . | quote }}
  {{- end }}
  {{- with include "cxr-train.pod.place" (dict "nodeSelector" $values.nodeSelector "tolerations" $tolerations) }}{{ . | nindent 2 }}{{ end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $workers := dict "matchLabels" (merge (dict "app.kubernetes.io/component" "worker") (include "cxr-train.selector" $.root | fromYaml)) }}
    {{- range . }}
    - {{- ternary . (merge (dict "labelSelector" $workers) .) (hasKey . "labelSelector") | toYaml | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- if $phantom }}
  initContainers:
    - name: draw-films
      {{- include "cxr-train.container.common" . | nindent 6 }}
      command: [cxr-train, phantom, /data/films, --config, /etc/cxr-train/config.yaml]
      {{- include "cxr-train.container.env" . | nindent 6 }}
      resources:
        {{- toYaml $values.workers.resources | nindent 8 }}
      volumeMounts: &films
        {{- include "cxr-train.container.mounts" . | nindent 8 }}
        - {name: data, mountPath: /data}
    - name: prepare-films
      {{- include "cxr-train.container.common" . | nindent 6 }}
      command: [cxr-train, prepare, --config, /etc/cxr-train/config.yaml]
      {{- include "cxr-train.container.env" . | nindent 6 }}
      resources:
        {{- toYaml $values.workers.resources | nindent 8 }}
      volumeMounts: *films
  {{- end }}
  containers:
    - name: worker
      {{- include "cxr-train.container.common" . | nindent 6 }}
      command: [cxr-train, work, --config, /etc/cxr-train/config.yaml]
      {{- include "cxr-train.container.env" (merge (dict "credentials" true "tracking" true) .) | nindent 6 }}
      ports:
        - {name: ssh, containerPort: 2222}
        - {name: metrics, containerPort: {{ include "cxr-train.metricsPort" .root }}}
      readinessProbe:
        tcpSocket: {port: ssh}
        periodSeconds: 2
      resources:
        {{- toYaml $resources | nindent 8 }}
      volumeMounts:
        {{- include "cxr-train.container.mounts" . | nindent 8 }}
        - {name: shm, mountPath: /dev/shm}
        - {name: cache, mountPath: /cache}
        {{- if $phantom }}
        - {name: data, mountPath: /data}
        {{- else if $values.data.existingClaim }}
        - {{- include "cxr-train.data.mount" (dict "data" $values.data "readOnly" $values.data.readOnly) | nindent 10 }}
        {{- end }}
        {{- if has (include "cxr-train.checkpoints" .root) (list "claim" "pod") }}
        - {name: checkpoints, mountPath: /checkpoints}
        {{- end }}
  volumes:
    {{- include "cxr-train.pod.volumes" . | nindent 4 }}
    - {name: shm, emptyDir: {medium: Memory, sizeLimit: {{ $values.shm.sizeLimit | quote }}}}
    {{- with $values.cache }}
    {{- if .existingClaim }}
    - {name: cache, persistentVolumeClaim: {claimName: {{ .existingClaim | quote }}}}
    {{- else if .hostPath }}
    - {name: cache, hostPath: {path: {{ .hostPath | quote }}, type: DirectoryOrCreate}}
    {{- else }}
    - {name: cache, emptyDir: {sizeLimit: {{ .sizeLimit | quote }}}}
    {{- end }}
    {{- end }}
    {{- if $phantom }}
    - {name: data, emptyDir: {sizeLimit: {{ $values.data.sizeLimit | quote }}}}
    {{- else if $values.data.existingClaim }}
    - {name: data, persistentVolumeClaim: {claimName: {{ $values.data.existingClaim | quote }}}}
    {{- end }}
    {{- if eq (include "cxr-train.checkpoints" .root) "claim" }}
    - {name: checkpoints, persistentVolumeClaim: {claimName: {{ include "cxr-train.checkpointClaim" .root | quote }}}}
    {{- else if eq (include "cxr-train.checkpoints" .root) "pod" }}
    - {name: checkpoints, emptyDir: {}}
    {{- end }}
{{- end -}}

{{/* The mount of data.existingClaim. */}}
{{- define "cxr-train.data.mount" -}}
name: data
mountPath: /data
{{- with .data.subPath }}
subPath: {{ . | quote }}
{{- end }}
readOnly: {{ .readOnly }}
{{- end -}}
