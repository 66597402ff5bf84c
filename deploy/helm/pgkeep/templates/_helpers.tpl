{{- define "pgkeep.name" -}}
{{- if contains "pgkeep" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-pgkeep" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pgkeep.selector" -}}
app.kubernetes.io/name: pgkeep
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pgkeep.labels" -}}
{{ include "pgkeep.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}
