{{/* Names. Every derived name is this one and a suffix of its own, so that two releases of a namespace never meet. */}}

{{/* The release's name where it can start a host name of 63 letters (NAME-HASH-worker-999); else what is left of it, and a hash. */}}
{{- define "cxr-train.fullname" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if and (le (len $name) 43) (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $name -}}
{{- else -}}
{{- $letters := printf "r-%s" (replace "." "-" $name) -}}
{{- if regexMatch "^[a-z]" $name }}{{ $letters = replace "." "-" $name }}{{ end -}}
{{- printf "%s-%s" (trunc 36 $letters | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- end -}}

{{/* The MPIJob. Edits to its template do not reach living pods, so another spec is another job. */}}
{{- define "cxr-train.job" -}}
{{- $spec := include "cxr-train.spec" (dict "root" . "job" "JOB") -}}
{{- printf "%s-%s" (include "cxr-train.fullname" .) (printf "%s%s" $spec (include "cxr-train.training" .) | sha256sum | trunc 8) -}}
{{- end -}}

{{/* The prepare Job: no Job can be edited, so another spec is another one. Films that are prepared already are left alone. */}}
{{- define "cxr-train.prepare" -}}
{{- $spec := include "cxr-train.prepare.spec" (dict "root" . "settings" "SETTINGS") -}}
{{- printf "%s-prepare-%s" (include "cxr-train.fullname" .) (printf "%s%s" $spec (include "cxr-train.prepare.settings" .) | sha256sum | trunc 8) -}}
{{- end -}}

{{- define "cxr-train.workerAccount" -}}
{{- .Values.serviceAccount.workerName | default (printf "%s-worker" (include "cxr-train.fullname" .)) -}}
{{- end -}}

{{- define "cxr-train.launcherAccount" -}}
{{- .Values.serviceAccount.launcherName | default (printf "%s-launcher" (include "cxr-train.fullname" .)) -}}
{{- end -}}

{{- define "cxr-train.checkpointClaim" -}}
{{- .Values.checkpoint.persistence.existingClaim | default (printf "%s-checkpoints" (include "cxr-train.fullname" .)) -}}
{{- end -}}

{{- define "cxr-train.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* What tells this release's objects from all others. */}}
{{- define "cxr-train.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "cxr-train.labels" -}}
{{ include "cxr-train.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
