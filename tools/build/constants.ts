/**
 * A Babel plugin that puts the values of constant objects where they are used: `LAPIC.EOI` becomes 176. Register maps and tables of numbers
 * are written as objects, and in the engine each look into one costs a hundred instructions. It takes the properties that are
 * literals, of objects of which nothing is used but their properties, and these are never written.
 */
import type { NodePath, PluginObj, types as BabelTypes } from '@babel/core';

type Types = typeof BabelTypes;
type Literal = BabelTypes.NumericLiteral | BabelTypes.StringLiteral | BabelTypes.BooleanLiteral | BabelTypes.UnaryExpression;

/** What a property's value is if it is a number (with a sign, perhaps), a short text or a truth value. */
function literalOf(types: Types, node: BabelTypes.Node | null | undefined): Literal | undefined {
  if (types.isNumericLiteral(node) || types.isStringLiteral(node) || types.isBooleanLiteral(node)) return node;
  if (types.isUnaryExpression(node, { operator: '-' }) && types.isNumericLiteral(node.argument)) return node;
  return undefined;
}

/** The properties of an object that are literals, by name. */
function constantsOf(types: Types, node: BabelTypes.Node | null | undefined): Map<string, Literal> | undefined {
  if (!types.isObjectExpression(node)) return undefined;
  const constants = new Map<string, Literal>();
  for (const property of node.properties) {
    // What is spread into it may have any name.
    if (types.isSpreadElement(property)) return undefined;
    if (!types.isObjectProperty(property) || property.computed || !types.isIdentifier(property.key)) continue;
    const literal = literalOf(types, property.value);
    if (literal) constants.set(property.key.name, literal);
  }
  return constants;
}

const READING_CALLS = new Set(['keys', 'values', 'entries']);

/** Whether a use of the object is one that only reads it. What it is given to otherwise, by any name, may write its properties. */
function isRead(types: Types, use: NodePath): boolean {
  const { parent, node } = use;
  if (types.isMemberExpression(parent) && parent.object === node) {
    const user = use.parentPath?.parent;
    return !(
      (types.isAssignmentExpression(user) && user.left === parent) ||
      types.isUpdateExpression(user) ||
      types.isUnaryExpression(user, { operator: 'delete' }) ||
      // A method may write to what it is a method of.
      (types.isCallExpression(user) && user.callee === parent)
    );
  }
  if (types.isVariableDeclarator(parent)) return types.isObjectPattern(parent.id);
  return (
    types.isSpreadElement(parent) ||
    (types.isCallExpression(parent) &&
      types.isMemberExpression(parent.callee) &&
      types.isIdentifier(parent.callee.object, { name: 'Object' }) &&
      types.isIdentifier(parent.callee.property) &&
      READING_CALLS.has(parent.callee.property.name))
  );
}

export function inlineConstants({ types }: { readonly types: Types }): PluginObj {
  return {
    visitor: {
      VariableDeclarator(path) {
        const { id, init } = path.node;
        if (!types.isIdentifier(id)) return;
        const constants = constantsOf(types, init);
        const binding = path.scope.getBinding(id.name);
        if (!constants || !binding?.constant || !binding.referencePaths.every((use) => isRead(types, use))) return;
        for (const use of binding.referencePaths) {
          const access = use.parentPath;
          if (!access?.isMemberExpression() || access.node.object !== use.node || access.node.computed) continue;
          const { property } = access.node;
          const literal = types.isIdentifier(property) ? constants.get(property.name) : undefined;
          if (literal) access.replaceWith(types.cloneNode(literal));
        }
      },
    },
  };
}
