// The types that Grafana publishes of its dashboards, put together for one that has panels of these four kinds. test_schema.py adds
// the dashboard itself, so that the compiler compares the two.
import type { Dashboard, FieldConfig, GraphFieldConfig, Panel, RowPanel, TableFieldOptions } from '@grafana/schema';
import type { Options as Logs } from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TimeSeries } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** A type as JSON spells it: the words of an enumeration instead of its members. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

/** A panel of one kind. Options may be left out, for each has a default; none may be unknown. */
type PanelOf<Kind extends string, Options, Custom> = Omit<Panel, 'fieldConfig' | 'options' | 'type'> & {
  type: Kind;
  options: Partial<Options>;
  fieldConfig: Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & { defaults: Omit<FieldConfig, 'custom'> & { custom?: Custom } };
};

type Panels =
  | RowPanel
  | PanelOf<'logs', Logs, never>
  | PanelOf<'stat', Stat, never>
  | PanelOf<'table', Table, TableFieldOptions>
  | PanelOf<'timeseries', TimeSeries, GraphFieldConfig>;

export type Committed = Json<Omit<Dashboard, 'panels'> & { panels: Panels[] }>;
